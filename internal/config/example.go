package config

import _ "embed" // for the example below

//go:embed postrider.example.yaml
var example string

// Example returns a complete configuration with comments. What is commented
// out as "#key" without a space is optional and valid as it stands.
func Example() string { return example }
