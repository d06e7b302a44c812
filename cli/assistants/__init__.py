"""The door for assistants: a server of the Model Context Protocol that answers from the store."""
