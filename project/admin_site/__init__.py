"""The frame of the admin: menu, look, search over everything and the dashboard.

The top layer: it may know every app. `theme` is read by the settings, and names functions by path.
"""
