"""The page of one incident: its story on one screen, and the evidence below."""
