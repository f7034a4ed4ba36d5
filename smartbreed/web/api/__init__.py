"""The interfaces for programs: named Gradio endpoints (also MCP tools) and plain REST."""
