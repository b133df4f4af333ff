"""A package as a whole: opening, writing, copying and extracting it."""
