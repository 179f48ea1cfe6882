package ignore

import "runtime"

func work() int { return 1 }

func above() int {
	//pinwatch:ignore the thread is meant to die
	runtime.LockOSThread()
	return work()
}

func beside() int {
	runtime.LockOSThread() //pinwatch:ignore the thread is meant to die
	return work()
}

// inDoc is all silent.
//
//pinwatch:ignore it measures what a nested lock costs
func inDoc() {
	runtime.LockOSThread()
	runtime.LockOSThread()
}

func noReason() int {
	//pinwatch:ignore // want `ignore: //pinwatch:ignore without a reason`
	runtime.LockOSThread() //vet:test // want `LockOSThread without a comment` `LockOSThread without UnlockOSThread`
	return work()
}

func tooFar() int {
	//pinwatch:ignore it has to be on the line or the one above

	runtime.LockOSThread() //vet:test // want `LockOSThread without a comment` `LockOSThread without UnlockOSThread`
	return work()
}

func otherWord() int {
	//pinwatch:ignored is another directive
	runtime.LockOSThread() //vet:test // want `LockOSThread without a comment` `LockOSThread without UnlockOSThread`
	return work()
}
