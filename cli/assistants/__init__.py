"""`memo mcp`: a server of the Model Context Protocol that answers assistants from the store."""
