"""What is done about a match: policy, takedown tasks, channels, the audit trail."""
