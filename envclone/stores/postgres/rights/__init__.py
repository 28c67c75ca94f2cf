"""Rights: on a clone nobody of production is a superuser, and what runs production's expressions is nobody's."""
