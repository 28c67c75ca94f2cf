"""The tools, by what they do: look, make and remove branches, rerun incidents, ask stores."""
