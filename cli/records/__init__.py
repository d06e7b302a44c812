"""Commands for stored records: import, export and forget them."""
