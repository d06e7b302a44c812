"""The source `inbox`: event files that appear or grow in a watched folder."""
