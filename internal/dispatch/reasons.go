package dispatch

// Why a task is put back, as people see it in asynq's UI. Others come from the
// Gate, from the ledger, or are an answer's code and text.
const (
	reasonStopping  = "the worker is stopping"
	reasonTakenBack = "the task was taken back"
	reasonTimeUp    = "the task's time was up"
	reasonTakenOver = "another worker took a chunk of this request over"
	reasonParked    = "parked after a configuration error of the job's own: see enqueue lanes"
	reasonLarge     = "many chunks of the app are being sent"
	// reasonPermit and reasonNoAccount are followed by the error, and by app and vendor.
	reasonPermit    = "permit: "
	reasonNoAccount = "this worker has no settings for app "
	// reasonTurn is followed by the time at which the task's turn at the rate limit
	// comes: see promise.
	reasonTurn = "waiting for the rate limit until "
)

// deadLettersWritten ends the reason of a task that is archived.
const deadLettersWritten = "dead letters were written: see enqueue dead list --job"
