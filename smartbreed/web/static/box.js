// Lets a person draw a box on a photo by mouse, touch or keyboard; gradio has no component for this.
// The overlay lies on the photo that the page already shows. Corners are shares of its sides, 0 to 1, so that
// they do not depend on the size at which the photo is drawn.
(() => {
  const say = window.smartbreedSay;
  const LEAST = 0.03; // shortest side, as a share of the photo's
  const STEP = 0.02; // distance of one arrow key press, as a share of the photo's side
  const DEFAULT = 0.4; // side of the box that a tap or a key creates, as a share of the photo's
  const TAP = 8; // a drag shorter than this counts as a tap, in CSS pixels
  const visible = (element) => Boolean(element) && element.offsetParent !== null;
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const surfaces = new Map();

  // Photos on which a box may be drawn now: on the identify page while its form is open, and a missed pet in review.
  function places() {
    const found = [];
    const photo = [...document.querySelectorAll("#photo .base-image")].find(visible);
    if (photo && visible(document.getElementById("photo-form"))) found.push(["photo", photo, ""]);
    const flagged = document.querySelector("#review-pictures img[data-box]");
    if (visible(flagged)) found.push(["review", flagged, flagged.dataset.box]);
    return found;
  }

  class Surface {
    constructor(name, image, start) {
      this.name = name;
      this.source = image.src;
      this.start = start;
      this.box = start ? start.split(",").map(Number) : null;
      this.changed = false;
      this.root = document.createElement("div");
      this.root.className = "sb-draw";
      this.root.tabIndex = 0;
      this.root.id = `${name}-draw`;
      this.root.setAttribute("role", "application");
      this.frame = document.createElement("div");
      this.frame.className = "sb-draw-box";
      this.frame.hidden = true;
      for (const corner of ["nw", "ne", "sw", "se"]) {
        const handle = document.createElement("i");
        handle.dataset.corner = corner;
        this.frame.append(handle);
      }
      this.root.append(this.frame);
      this.root.addEventListener("pointerdown", (event) => this.down(event));
      this.root.addEventListener("pointermove", (event) => this.move(event));
      this.root.addEventListener("pointerup", (event) => this.up(event));
      this.root.addEventListener("pointercancel", () => this.cancel());
      this.root.addEventListener("keydown", (event) => this.key(event));
      this.sizes = new ResizeObserver(() => this.place());
      this.put(image);
      this.draw();
    }

    put(image) {
      this.image = image;
      image.parentElement.append(this.root);
      this.sizes.disconnect();
      this.sizes.observe(image);
      this.place();
    }

    remove() {
      this.sizes.disconnect();
      this.root.remove();
    }

    // Cover exactly the pixels of the photo, which may be letterboxed in its element.
    place() {
      const image = this.image;
      if (!image.naturalWidth) {
        image.addEventListener("load", () => this.place(), { once: true });
        return;
      }
      const scale = Math.min(image.clientWidth / image.naturalWidth, image.clientHeight / image.naturalHeight);
      const [width, height] = [image.naturalWidth * scale, image.naturalHeight * scale];
      this.root.style.left = `${image.offsetLeft + image.clientLeft + (image.clientWidth - width) / 2}px`;
      this.root.style.top = `${image.offsetTop + image.clientTop + (image.clientHeight - height) / 2}px`;
      this.root.style.width = `${width}px`;
      this.root.style.height = `${height}px`;
    }

    at(event) {
      const area = this.root.getBoundingClientRect();
      return [
        clamp((event.clientX - area.left) / area.width, 0, 1),
        clamp((event.clientY - area.top) / area.height, 0, 1),
      ];
    }

    down(event) {
      if (event.button !== 0 || !event.isPrimary) return;
      event.preventDefault();
      this.root.focus({ preventScroll: true });
      this.root.setPointerCapture(event.pointerId);
      const point = this.at(event);
      const corner = event.target.dataset?.corner;
      const inside = event.target === this.frame;
      this.drag = { before: this.box, from: point, x: event.clientX, y: event.clientY, corner, inside, far: false };
    }

    move(event) {
      const drag = this.drag;
      if (!drag) return;
      if (Math.hypot(event.clientX - drag.x, event.clientY - drag.y) >= TAP) drag.far = true;
      if (!drag.far) return;
      const [x, y] = this.at(event);
      if (drag.corner) {
        const [x0, y0, x1, y1] = drag.before;
        const west = drag.corner.includes("w");
        const north = drag.corner.includes("n");
        this.set(spanned([west ? x1 : x0, north ? y1 : y0], [x, y]));
      } else if (drag.inside) {
        this.set(shifted(drag.before, x - drag.from[0], y - drag.from[1]));
      } else {
        this.set(spanned(drag.from, [x, y]));
      }
    }

    up() {
      const drag = this.drag;
      this.drag = null;
      if (drag && !drag.far && !drag.corner && !drag.inside) this.set(centred(...drag.from));
      this.say();
    }

    // The browser treated the touch as a pinch or a scroll.
    cancel() {
      if (this.drag) this.set(this.drag.before);
      this.drag = null;
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      const start = event.key === "Enter" || event.key === " ";
      if (!way && !start) return;
      event.preventDefault();
      event.stopPropagation();
      if (!this.box) {
        this.set(centred(0.5, 0.5));
      } else if (way) {
        const [dx, dy] = way.map((side) => side * STEP);
        const [x0, y0, x1, y1] = this.box;
        if (event.shiftKey) this.set([x0, y0, clamp(x1 + dx, x0 + LEAST, 1), clamp(y1 + dy, y0 + LEAST, 1)]);
        else this.set(shifted(this.box, dx, dy));
      }
      this.say();
    }

    set(box) {
      this.box = box;
      this.changed = true;
      this.draw();
    }

    draw() {
      this.frame.hidden = !this.box;
      if (this.box) {
        const [x0, y0, x1, y1] = this.box.map((side) => side * 100);
        Object.assign(this.frame.style, {
          left: `${x0}%`, top: `${y0}%`, width: `${x1 - x0}%`, height: `${y1 - y0}%`,
        });
      }
      if (!this.drag) this.say();
    }

    say() {
      const percent = (this.box ?? []).map((side) => Math.round(side * 100));
      const where = this.box
        ? say("The box reaches from %(left)s to %(right)s percent across and from %(top)s to %(bottom)s percent down.", {
            left: percent[0], top: percent[1], right: percent[2], bottom: percent[3],
          })
        : say("There is no box yet.");
      const how = say("Arrow keys move the box, Shift and arrow keys resize it.");
      this.root.setAttribute("aria-label", `${say("The photo, to draw a box on.")} ${where} ${how}`);
      document.querySelectorAll(`[data-box-status="${this.name}"]`).forEach((element) => {
        if (element.textContent !== where) element.textContent = where;
      });
    }
  }

  function spanned([ax, ay], [bx, by]) {
    const side = (a, b) => {
      const low = Math.min(a, b);
      const high = Math.max(a, b);
      if (high - low >= LEAST) return [low, high];
      return b < a ? [clamp(a - LEAST, 0, 1 - LEAST), clamp(a - LEAST, 0, 1 - LEAST) + LEAST] : [clamp(a, 0, 1 - LEAST), clamp(a, 0, 1 - LEAST) + LEAST];
    };
    const [x0, x1] = side(ax, bx);
    const [y0, y1] = side(ay, by);
    return [x0, y0, x1, y1];
  }

  function shifted([x0, y0, x1, y1], dx, dy) {
    const left = clamp(x0 + dx, 0, 1 - (x1 - x0));
    const top = clamp(y0 + dy, 0, 1 - (y1 - y0));
    return [left, top, left + x1 - x0, top + y1 - y0];
  }

  function centred(x, y) {
    return shifted([x - DEFAULT / 2, y - DEFAULT / 2, x + DEFAULT / 2, y + DEFAULT / 2], 0, 0);
  }

  function refresh() {
    const wanted = places();
    for (const [name, surface] of surfaces) {
      const place = wanted.find(([other, image, start]) => other === name && image.src === surface.source && start === surface.start);
      if (place) continue;
      surface.remove();
      surfaces.delete(name);
    }
    for (const [name, image, start] of wanted) {
      const surface = surfaces.get(name);
      if (!surface) surfaces.set(name, new Surface(name, image, start));
      else if (surface.image !== image || !surface.root.isConnected) surface.put(image);
    }
  }

  window.smartbreedBox = {
    // Returns four shares as JSON; empty if there is no box, or if the initial one has not been changed.
    value(name) {
      const surface = surfaces.get(name);
      if (!surface?.box || !surface.changed) return "";
      return JSON.stringify(surface.box.map((side) => Math.round(side * 1e5) / 1e5));
    },
    surface(name) {
      refresh();
      return surfaces.get(name)?.root;
    },
  };

  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      refresh();
    });
  }).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "style", "src", "hidden", "data-box"] });
})();
