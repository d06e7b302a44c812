"""The store, read with the database's own driver: the public views, and which store it is."""
