"""From new events to a stored prediction: learned state per scope, snapshots and outbox."""
