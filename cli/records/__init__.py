"""Commands for the stored records: import, export, forget."""
