"""The pages about breeds: plain HTML that works without gradio and without a script."""
