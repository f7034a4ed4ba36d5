"""The page of statistics: plain HTML that works without gradio and without a script."""
