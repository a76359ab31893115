package config

import _ "embed" // for the example below

//go:embed postrider.example.yaml
var example string

// Example returns a complete configuration with comments. Keys that are commented
// out as "#key", without a space, are optional, and valid when uncommented.
func Example() string { return example }
