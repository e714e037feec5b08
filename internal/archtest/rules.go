package archtest

// rule is one promise about the source.
type rule struct {
	name  string
	check func(*tree) []finding
}

// rules lists every rule in the order in which they are reported.
func rules() []rule {
	return []rule{
		{"imports run downward", checkFloors},
		{"vocabulary uses the standard library only", checkVocabulary},
		{"domain has no HTTP and no driver", checkDomainPure},
		{"check knows no domain", checkCheckIsBlind},
		{"sandbox is independent", checkSandbox},
		{"no banned import", checkBannedImports},
		{"no insecure call", checkBannedCalls},
		{"no init", checkNoInit},
		{"edges hold no SQL", checkEdgesHoldNoSQL},
		{"SQL placeholders ascend", checkParamOrder},
		{"SQLite tables are STRICT", checkStrict},
		{"tables have merchant_id", checkMerchantID},
		{"dependencies are weighed", checkDependencies},
		{"packages are documented", checkPackageDocs},
		{"files are short", checkFileLength},
		{"functions are short", checkFuncLength},
	}
}
