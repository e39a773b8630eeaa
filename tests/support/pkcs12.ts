/** A client's certificate and key as a PKCS #12 archive, which `node:crypto` can't create. For tests only. */

/** The authority of the certificate in {@linkcode ARCHIVE}, PEM. */
export const ARCHIVE_AUTHORITY = `-----BEGIN CERTIFICATE-----
MIIBoDCCAUWgAwIBAgIUCtJxcjL8T6sCyGt9xu6THyL5GsAwCgYIKoZIzj0EAwIw
HDEaMBgGA1UEAwwRYXJjaGl2ZS1hdXRob3JpdHkwIBcNMjYxMTI1MjE1MTAyWhgP
MjEyNjExMDEyMTUxMDJaMBwxGjAYBgNVBAMMEWFyY2hpdmUtYXV0aG9yaXR5MFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEv6TIGWJ7wYFUdEAcnodDlySmV9yFsbVQ
VF0NldO/paSjqNAGmWJOJlc32Kj1oc4vEPig+lZ3KS6D/N6aPCLZ4qNjMGEwHQYD
VR0OBBYEFEzEb2W/Eciv+dY0mXwuKPLs9GItMB8GA1UdIwQYMBaAFEzEb2W/Eciv
+dY0mXwuKPLs9GItMA4GA1UdDwEB/wQEAwIBBjAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMCA0kAMEYCIQCGtmzwXMyvg5krh5xPMXhTmXzhzx7PHt5UqREc4BrB
dAIhAMCV4UOgWxGtVe0VVKLIS8+1dxHyHyxO2JmX4iU2AqqG
-----END CERTIFICATE-----
`;

/** The passphrase of {@linkcode ARCHIVE}. */
export const ARCHIVE_PASSPHRASE = "passphrase";

/** The archive. The common name is `client`; the certificate is valid for `localhost` and 127.0.0.1. */
export const ARCHIVE: Uint8Array = Uint8Array.from(
  atob(
    [
      "MIIEHAIBAzCCA9IGCSqGSIb3DQEHAaCCA8MEggO/MIIDuzCCAnIGCSqGSIb3DQEHBqCCAmMwggJfAgEAMIICWAYJKoZIhvcN",
      "AQcBMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAh7NY/pSbUxRQICCAAwDAYIKoZIhvcNAgkFADAdBglghkgBZQME",
      "ASoEENkhFf4mfA4yzK7r6ParvjuAggHwdSqUFrnCQ+75pzqq2qll5itb5PBXSE6azAA7Bm54WgzHFfQ6j11BhpU8joO5xClT",
      "e9EBSmZuYOtg54BzWGVFdtAlgT6GkOCYcYdRONQiTQMLhrAI5tgXfy+CidCzCplIP4W0uf56w3hD4osTvSrBPxCdpM6KGBBY",
      "Y93+I2HaeMHrVFPQeqW63AwRY72OSVqk6icU0UWt4Pnn64niYoAI+NGOkl7ZJeGb2FL1yzo8Er9yPCP7eMX+1GcrvwrQGafC",
      "Xn2Ci5XQdlAO0Am8loCf3oeq2fgBfRMmVfDJgffX8l3pr5hJcYt60e3FOB6AJeAcYLRe1PEDsdbIIUqmHkn5kwxbEjDdAWyU",
      "iihDTyXP5ZuFFRwVxZjqd09C/gZz+sn9YPxS/nkD3dofGRl687D6pLb4OoTin151d1p9fGyrSkGxK53XPJtaP30kD2UfqaEV",
      "5vA0N2rt1U1guySfcdiTxaT5GzXb3UGtuCHveWy+weEvJYbUwa6tLa15A68geFXxVXj6nsR623W3Jv+2WpQGItmK7b2hdnQi",
      "AtkRBGcEd9yOA8rS+a/4Pw5Xa1nsTsOP0srWaFeKz3QAfT1/b+6+z5MOJftN/Z5cwafFoNINhpblvL1OTLGgIonBSulOurNU",
      "xHKmLTP9/OT0v7/f0U/81DCCAUEGCSqGSIb3DQEHAaCCATIEggEuMIIBKjCCASYGCyqGSIb3DQEMCgECoIHvMIHsMFcGCSqG",
      "SIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjMh0+mw5EH5wICCAAwDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEEChDFws",
      "L+GmwWhPdXpgA0YEgZAZfSqdEiuWo5lbPQL1k6UpFMJjQLqjS2zULqyX6QlvzjxFsymrnOT8WaAtuG89SOuwGqbSa9htQ3oR",
      "2yaQqBG7u00LN0dupJPy6qkrvtDLF8p1m5ry3GCNaBRQcjC0Yz7Y4rv2iFuqJxVdV6OS7xqdHcMnzZB/r3fc+TBXV2GqswXZ",
      "zFBrXsxfQroWpvdW0xcxJTAjBgkqhkiG9w0BCRUxFgQUhO9eUydilXhkdmesycUO7Yar6QIwQTAxMA0GCWCGSAFlAwQCAQUA",
      "BCCK+xZPaZEbh2cjsywDptpw88SFPilzk9QmOKoLYaUQmgQISpvp0df0eJ4CAggA",
    ].join(""),
  ),
  (char) => char.charCodeAt(0),
);
