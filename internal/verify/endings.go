package verify

func endings() []experiment { return nil }
