"""Packages of several machines as one, and what two packages differ in."""
