"""The web server with its APIs and pages."""

from smartbreed.web.gradio_import import write_no_stubs

write_no_stubs()
