package classify_test

import (
	"fmt"

	"github.com/postrider/postrider/pkg/classify"
)

func Example() {
	// The columns of a vendor's codes.tsv, separated by tabs. A dash is an empty value.
	table, err := classify.Parse("nimbus", ""+
		"level\tcode\tclass\tremedy\tscope\ttries\taction\tbucket\twindow\tmeaning\tsource\n"+
		"response\tok\tsuccess\tnone\tbatch\t-\t-\t-\t-\tevery token is accepted\thttps://nimbus.example/push\n"+
		"token\tgone\ttoken-invalid\tdrop-token\ttoken\t-\tdelete\t-\t-\tthe app was uninstalled\thttps://nimbus.example/push\n")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range []classify.Code{
		{Level: classify.Response, Code: "ok"},
		{Level: classify.Token, Code: "gone"},
		{Level: classify.HTTP, Code: "503"},          // every table has the HTTP statuses
		{Level: classify.Response, Code: "surprise"}, // never a success, never deletes a token
	} {
		row, known := table.Lookup(c.Level, c.Code)
		fmt.Printf("%s: %s, %s, known %t\n", c, row.Class, row.Remedy, known)
	}

	// Output:
	// response/ok: success, none, known true
	// token/gone: token-invalid, drop-token, known true
	// http/503: retryable, slow-down, known true
	// response/surprise: retryable, backoff, known false
}
