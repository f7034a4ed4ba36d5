"""The doors for programs: named Gradio endpoints (also MCP tools) and plain REST."""
