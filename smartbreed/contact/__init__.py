"""The contact form: messages to the operators of this site."""
