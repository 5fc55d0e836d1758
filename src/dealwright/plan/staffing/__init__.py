"""From contact-centre demand to staff, shifts, a named roster, a call list, and a simulation of the day."""
