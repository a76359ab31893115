// Package status reads what operators want to see: the lanes and what delays
// them, the list of jobs, and the page /postrider. It also maintains the list of
// jobs: the Keeper moves ended jobs, and ends tokens that are no longer in any
// chunk.
//
// It gets the accounts from its caller and does not read the configuration. It
// shows no token, message or secret. The page reads a bounded amount: the newest
// dead letters and the next tasks of each lane.
package status
