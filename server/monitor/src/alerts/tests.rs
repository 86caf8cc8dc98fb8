//! Alerts as a whole: from the log to the receiver, with the clock in hand.
