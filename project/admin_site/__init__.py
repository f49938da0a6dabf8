"""The frame of the admin: menu, look, search over everything and the dashboard.

The top layer: it may know every app. `UNFOLD` in the settings names its functions by path.
"""
