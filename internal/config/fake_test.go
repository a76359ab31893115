package config_test

import (
	"io/fs"
	"net/http"
	"reflect"

	"github.com/postrider/postrider/internal/config"
	"github.com/postrider/postrider/pkg/classify"
	"github.com/postrider/postrider/pkg/push"
	"github.com/postrider/postrider/pkg/vendors"
	"github.com/postrider/postrider/pkg/vendors/httpx"
)

// The settings of the vendors, with the keys that users are promised. They
// stand here again so that a change of a vendor's package shows up as one.
type (
	huaweiSettings struct {
		ClientID     string         `yaml:"client_id"`
		ClientSecret vendors.Secret `yaml:"client_secret"`
		ProjectID    string         `yaml:"project_id"`
		BaseURL      string         `yaml:"base_url"`
		AuthURL      string         `yaml:"auth_url"`
		sealed
	}
	harmonySettings struct {
		ProjectID  string         `yaml:"project_id"`
		KeyID      string         `yaml:"key_id"`
		SubAccount string         `yaml:"sub_account"`
		PrivateKey vendors.Secret `yaml:"private_key"`
		BaseURL    string         `yaml:"base_url"`
		sealed
	}
	honorSettings struct {
		AppID        string         `yaml:"app_id"`
		ClientID     string         `yaml:"client_id"`
		ClientSecret vendors.Secret `yaml:"client_secret"`
		BaseURL      string         `yaml:"base_url"`
		AuthURL      string         `yaml:"auth_url"`
		sealed
	}
	oppoSettings struct {
		AppKey       string         `yaml:"app_key"`
		MasterSecret vendors.Secret `yaml:"master_secret"`
		BaseURL      string         `yaml:"base_url"`
		FeedbackURL  string         `yaml:"feedback_url"`
		sealed
	}
	vivoSettings struct {
		AppID     int            `yaml:"app_id"`
		AppKey    string         `yaml:"app_key"`
		AppSecret vendors.Secret `yaml:"app_secret"`
		BaseURL   string         `yaml:"base_url"`
		sealed
	}
	xiaomiSettings struct {
		AppSecret   vendors.Secret `yaml:"app_secret"`
		PackageName string         `yaml:"package_name"`
		BaseURL     string         `yaml:"base_url"`
		sealed
	}
	meizuSettings struct {
		AppID     string         `yaml:"app_id"`
		AppSecret vendors.Secret `yaml:"app_secret"`
		BaseURL   string         `yaml:"base_url"`
		sealed
	}
	timSettings struct {
		SDKAppID   int64          `yaml:"sdk_app_id"`
		Identifier string         `yaml:"identifier"`
		SecretKey  vendors.Secret `yaml:"secret_key"`
		BaseURL    string         `yaml:"base_url"`
		Sandbox    bool           `yaml:"sandbox"`
		API        string         `yaml:"api"`
		sealed
	}
)

type sealed struct{}

func (sealed) Open(*http.Client) vendors.Vendor { return nil }

func (s *huaweiSettings) Faults() []push.Fault {
	return append(required("client_id", s.ClientID, "client_secret", s.ClientSecret.Reveal()),
		httpx.CheckAddress("base_url", s.BaseURL, false)...)
}

func (s *harmonySettings) Faults() []push.Fault {
	return required("project_id", s.ProjectID, "private_key", s.PrivateKey.Reveal())
}

func (s *honorSettings) Faults() []push.Fault {
	return required("app_id", s.AppID, "client_secret", s.ClientSecret.Reveal())
}

func (s *oppoSettings) Faults() []push.Fault {
	return required("app_key", s.AppKey, "master_secret", s.MasterSecret.Reveal())
}

func (s *vivoSettings) Faults() []push.Fault {
	return required("app_key", s.AppKey, "app_secret", s.AppSecret.Reveal())
}
func (s *xiaomiSettings) Faults() []push.Fault {
	return required("app_secret", s.AppSecret.Reveal())
}
func (s *meizuSettings) Faults() []push.Fault { return required("app_secret", s.AppSecret.Reveal()) }

// Faults of this one quote values, as a vendor's package must not: what the
// configuration hides all the same is under test.
func (s *timSettings) Faults() []push.Fault {
	if s.Identifier == "administrator" {
		return nil
	}
	return []push.Fault{{Field: "identifier", Reason: "is " + s.Identifier + " with " + s.SecretKey.Reveal() + ": want administrator"}}
}

func required(pairs ...string) []push.Fault {
	var faults []push.Fault
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			faults = append(faults, push.Fault{Field: pairs[i], Reason: "is required"})
		}
	}
	return faults
}

const codesTSV = "level\tcode\tclass\tremedy\tscope\ttries\taction\tbucket\twindow\tmeaning\tsource\n" +
	"response\t80000000\tsuccess\tnone\tbatch\t-\t-\t-\t-\tall accepted\thttps://vendor.example/codes\n" +
	"response\t80300007\ttoken-invalid\tdrop-token\ttoken\t-\tdelete\t-\t-\tevery token is invalid\thttps://vendor.example/codes\n"

func fake(name string, batch int, unit vendors.Unit, rate float64, settings vendors.Settings) vendors.Spec {
	return vendors.Spec{
		Name: name, Title: name, Batch: batch, Unit: unit, Rate: rate,
		Codes: classify.MustParse(name, codesTSV),
		Settings: func() vendors.Settings {
			fresh, _ := reflect.TypeAssert[vendors.Settings](reflect.New(reflect.TypeOf(settings).Elem()))
			return fresh
		},
	}
}

func specs() []vendors.Spec {
	return []vendors.Spec{
		fake("huawei", 1000, vendors.Tokens, 500, &huaweiSettings{}),
		fake("harmony", 1000, vendors.Tokens, 500, &harmonySettings{}),
		fake("honor", 1000, vendors.Tokens, 1000, &honorSettings{}),
		fake("oppo", 1000, vendors.Tokens, 5000, &oppoSettings{}),
		fake("vivo", 1000, vendors.Messages, 500, &vivoSettings{}),
		fake("xiaomi", 1000, vendors.Requests, 50, &xiaomiSettings{}),
		fake("meizu", 100, vendors.Requests, 20, &meizuSettings{}),
		fake("tim", 500, vendors.Tokens, 200, &timSettings{}),
	}
}

// environ is a process's environment.
type environ map[string]string

func (e environ) lookup(name string) (string, bool) {
	v, ok := e[name]
	return v, ok
}

// parse reads a file that the test wrote, without any file of the machine.
func parse(text string, env environ, files map[string]string) (*config.Config, error) {
	return config.Parse("conf/postrider.yaml", []byte(text), specs(), config.Source{Env: env.lookup, ReadFile: disk(files).read})
}

// disk holds the files that secrets are read from.
type disk map[string]string

func (d disk) read(path string) ([]byte, error) {
	text, ok := d[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}
