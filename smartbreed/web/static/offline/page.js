// The offline page: takes a photo and shows each pet with its breeds and their heat maps.
import { load } from "./identify.js";

const base = new URL("./", import.meta.url);
const $ = (id) => document.getElementById(id);
const words = JSON.parse($("offline-words").textContent);
//: Longest side to which a photo is scaled down, in pixels; a phone's canvas holds at most 16 million pixels.
const LONGEST = 2048;
const COLOURS = ["#b3451a", "#1f6f8b", "#5b7a1f", "#7d4aa3", "#a3324f", "#8a6a10"];
let model, latest = 0;

const say = (text, wrong = false) => {
  $("offline-status").textContent = text;
  $("offline-status").classList.toggle("sb-problem", wrong);
};

async function loaded() {
  model ??= load(base, (key) => say(words[key]));
  return model;
}

async function identify(file) {
  if (!file) return;
  const mine = ++latest;
  const replaced = () => mine !== latest; // by another photo, whose answer is the one to show
  try {
    const identifier = await loaded();
    if (replaced()) return;
    say(words.working);
    let bitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      return replaced() || say(words.unreadable, true);
    }
    if (replaced()) return bitmap.close();
    const shrink = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
    const canvas = document.createElement("canvas"); // the page shows the last photo until this one is done
    canvas.width = Math.max(1, Math.round(bitmap.width * shrink));
    canvas.height = Math.max(1, Math.round(bitmap.height * shrink));
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const picture = context.getImageData(0, 0, canvas.width, canvas.height);
    await new Promise(requestAnimationFrame); // let the status be painted before the work begins
    if (replaced()) return;
    const started = performance.now();
    const pets = await identifier.identify(picture);
    const took = Math.round(performance.now() - started);
    if (replaced()) return;
    show(identifier, canvas, pets);
    say(`${pets.length === 0 ? words.none : pets.length === 1 ? words.one : words.several.replace("{n}", pets.length)} ${words.took.replace("{ms}", took)}`);
    document.dispatchEvent(new CustomEvent("identified", { detail: pets.map(({ box, verdict, species, breeds }) => ({ box, verdict, species, breeds })) }));
  } catch (error) {
    console.warn(error);
    if (replaced()) return;
    model = undefined;
    say(words.failed, true);
  }
}

function show(identifier, photo, pets) {
  const canvas = $("offline-photo");
  canvas.hidden = false;
  [canvas.width, canvas.height] = [photo.width, photo.height];
  const context = canvas.getContext("2d");
  context.drawImage(photo, 0, 0);
  const line = Math.max(2, Math.max(canvas.width, canvas.height) / 220);
  $("offline-pets").replaceChildren(...pets.map((pet, place) => card(identifier, photo, pet, place)));
  pets.forEach(({ box: [x0, y0, x1, y1] }, place) => {
    context.lineWidth = line;
    context.strokeStyle = context.fillStyle = COLOURS[place % COLOURS.length];
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    context.fillRect(x0, y0, line * 10, line * 10);
    context.fillStyle = "#fff";
    context.font = `bold ${line * 7}px system-ui`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(place + 1, x0 + line * 5, y0 + line * 5.3);
  });
}

function sentence({ verdict, reason, species, breeds, group }) {
  if (verdict === "breed") return breeds[0].name;
  if (verdict === "group") return words[`group_${group}`] ?? words.possibly.replace("{breed}", breeds[0].name);
  return words[`${species}_${reason}`];
}

function card(identifier, photo, pet, place) {
  const element = (name, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  };
  const look = element("canvas", { width: 320, height: 320, className: "sb-look" });
  look.setAttribute("role", "img");
  const bars = element("div", { className: "sb-bars" });
  const explain = (guess) => {
    drawHeat(look, photo, pet.crop, identifier.heat(pet, guess.place));
    look.setAttribute("aria-label", words.heat.replace("{breed}", guess.name));
    for (const bar of bars.children) bar.setAttribute("aria-pressed", String(bar.dataset.id === guess.id));
  };
  pet.breeds
    .filter((guess, rank) => rank === 0 || guess.probability >= 0.005)
    .forEach((guess) => {
      const bar = element(
        "button",
        { type: "button", className: "sb-guess", onclick: () => explain(guess) },
        element("span", { className: "sb-name", textContent: guess.name }),
        element("span", { className: "sb-share", textContent: `${Math.round(guess.probability * 100)} %` }),
      );
      bar.dataset.id = guess.id;
      bar.style.setProperty("--share", `${guess.probability * 100}%`);
      bars.append(bar);
    });
  explain(pet.breeds[0]);
  const heading = element("h3", {}, element("span", { className: "sb-number", textContent: place + 1 }), ` ${sentence(pet)}`);
  heading.firstChild.style.background = COLOURS[place % COLOURS.length];
  return element("section", { className: "sb-card sb-pet" }, look, element("div", {}, heading, bars));
}

const STOPS = [[22, 11, 57], [114, 31, 109], [203, 65, 73], [251, 155, 6], [252, 255, 190]];

function drawHeat(look, photo, [x0, y0, x1, y1], { side, values }) {
  const factor = 320 / Math.max(x1 - x0, y1 - y0);
  [look.width, look.height] = [Math.max(1, Math.round((x1 - x0) * factor)), Math.max(1, Math.round((y1 - y0) * factor))];
  const context = look.getContext("2d");
  context.drawImage(photo, x0, y0, x1 - x0, y1 - y0, 0, 0, look.width, look.height);
  const heat = new ImageData(side, side);
  values.forEach((value, cell) => {
    const at = Math.min(value * 4, 3.999);
    const [low, high] = [STOPS[Math.trunc(at)], STOPS[Math.trunc(at) + 1]];
    heat.data.set([...low.map((channel, n) => channel + (high[n] - channel) * (at % 1)), Math.sqrt(value) * 0.6 * 255], cell * 4);
  });
  const small = document.createElement("canvas");
  [small.width, small.height] = [side, side];
  small.getContext("2d").putImageData(heat, 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, look.width, look.height);
}

$("offline-file").addEventListener("change", (event) => identify(event.target.files[0]));
for (const name of ["dragover", "drop"])
  document.addEventListener(name, (event) => {
    event.preventDefault();
    if (name === "drop") identify(event.dataTransfer.files[0]);
  });
document.addEventListener("paste", (event) => identify(event.clipboardData.files[0]));
navigator.serviceWorker?.register(new URL("worker.js", base)).catch(() => {}); // without it the page needs a connection
