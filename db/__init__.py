"""The only room that speaks SQL: engine, models, and one small repository each."""
