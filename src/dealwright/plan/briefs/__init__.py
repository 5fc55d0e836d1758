"""The parts of the stage *brief*: facts, the signs of a language, and sentences made into templates."""
