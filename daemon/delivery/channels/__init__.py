"""What sends one message to one target: HTTP requests, webhooks, mail, message services in a child process."""
