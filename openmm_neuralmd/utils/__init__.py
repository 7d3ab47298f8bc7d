"""Files, settings, progress and resumable runs, used by every room."""
