"""The embedded model and its world: a picture book that is drawn, told and learned."""
