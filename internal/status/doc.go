// Package status reads what operators look at: the lanes and what delays them,
// the list of jobs, and the page /postrider. It also maintains the list of jobs:
// the Keeper moves ended jobs, and ends tokens that are in no chunk any more.
//
// It is handed the accounts and does not read the configuration. It shows no
// token, message or secret. The page is bounded: it reads the newest dead letters
// and the next tasks of each lane, however many there are.
package status
