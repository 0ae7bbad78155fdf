"""The pages, one module each: the question it answers, what it asks for, and how that is laid out. Queries and parts lie in the rooms beside."""
