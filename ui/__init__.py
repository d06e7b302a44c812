"""The page of `memo ui`: what MEMO records, predicts and does, for the browser of its own user."""
