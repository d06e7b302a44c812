"""The source `web`: visits from the browsers' histories."""
