"""Looking after facesets: who is who, what is in them, what is missing, what should go."""
