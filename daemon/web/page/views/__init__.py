"""The pages, one module each: a class that reads the data of its page, and its routes."""
