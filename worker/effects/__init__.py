"""What handlers act with: launching, page cache, notifications, and readings of the machine."""
