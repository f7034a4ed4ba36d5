"""Messages to the people who run this site."""
