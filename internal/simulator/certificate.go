package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// CAFile is what clients of the simulator trust, in the folder of Certificate.
const CAFile = "ca.pem"

const (
	certFile = "server.pem"
	keyFile  = "server.key"

	certLife = 10 * 365 * 24 * time.Hour
	// certRest is the shortest time that a stored certificate must still be
	// valid for, so that it does not expire while the simulator runs.
	certRest = 30 * 24 * time.Hour
)

// Certificate returns a server certificate for names (host names and IP
// addresses). It is kept in dir: ca.pem, server.pem and server.key. What dir
// holds is used again unless it expires within 30 days, is for other names or is
// inconsistent; then all three files are replaced.
//
// The certificate is signed by an authority (CA) that is made only for it and
// whose private key is never stored: nobody can sign another certificate that a
// client which trusts ca.pem would accept.
func Certificate(dir string, names []string, now time.Time) (tls.Certificate, error) {
	if len(names) == 0 || slices.Contains(names, "") {
		return tls.Certificate{}, errors.New("a certificate needs names that are not empty")
	}
	if cert, err := storedCertificate(dir, names, now); err == nil {
		return cert, nil
	}
	ca, cert, key, err := makeCertificate(names, now)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make a certificate: %w", err)
	}
	err = os.MkdirAll(dir, 0o755)
	for _, f := range []struct {
		name, kind string
		der        []byte
		mode       os.FileMode
	}{{keyFile, "PRIVATE KEY", key, 0o600}, {certFile, "CERTIFICATE", cert, 0o644}, {CAFile, "CERTIFICATE", ca, 0o644}} {
		if err == nil {
			err = replaceFile(filepath.Join(dir, f.name), pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der}), f.mode)
		}
	}
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("store the certificate: %w", err)
	}
	return storedCertificate(dir, names, now)
}

// Authority returns a pool with the authority that signed the certificate in dir.
func Authority(dir string) (*x509.CertPool, error) {
	text, err := os.ReadFile(filepath.Join(dir, CAFile))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, errors.New(CAFile + " holds no certificate")
	}
	return pool, nil
}

// storedCertificate returns the certificate in dir if it can be used.
func storedCertificate(dir string, names []string, now time.Time) (tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, certFile), filepath.Join(dir, keyFile))
	if err != nil {
		return pair, err
	}
	roots, err := Authority(dir)
	if err != nil {
		return pair, err
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now.Add(certRest)}); err != nil {
		return pair, err
	}
	hosts, ips := splitNames(names)
	if !slices.Equal(pair.Leaf.DNSNames, hosts) || !slices.EqualFunc(pair.Leaf.IPAddresses, ips, net.IP.Equal) {
		return pair, errors.New("the certificate is for other names")
	}
	return pair, nil
}

// makeCertificate returns an authority and a server's certificate that it
// signed, with the server's key, in DER. It drops the authority's key.
func makeCertificate(names []string, now time.Time) (ca, cert, key []byte, err error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	serverKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, nil, err
	}
	issuer := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "postrider simulator, throw-away authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if ca, err = x509.CreateCertificate(rand.Reader, issuer, issuer, caKey.Public(), caKey); err != nil {
		return nil, nil, nil, err
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "postrider simulator"},
		NotBefore: issuer.NotBefore, NotAfter: issuer.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	server.DNSNames, server.IPAddresses = splitNames(names)
	if cert, err = x509.CreateCertificate(rand.Reader, server, issuer, serverKey.Public(), caKey); err != nil {
		return nil, nil, nil, err
	}
	key, err = x509.MarshalPKCS8PrivateKey(serverKey)
	return ca, cert, key, err
}

func splitNames(names []string) (hosts []string, ips []net.IP) {
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			ips = append(ips, ip)
		} else {
			hosts = append(hosts, name)
		}
	}
	return hosts, ips
}

// replaceFile replaces a file atomically.
func replaceFile(path string, text []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
