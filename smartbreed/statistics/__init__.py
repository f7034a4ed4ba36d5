"""What is counted of the model at work: answers, flags, drift, and the report made of them."""
