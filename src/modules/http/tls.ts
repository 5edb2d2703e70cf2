import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ConfigError } from '../../config/errors.js';
import { reasonOf } from '../../config/file.js';

/** What TLS is served with; both in PEM form. */
export interface TlsIdentity {
  /** The certificate, followed by those of its issuers as far as clients need them. */
  cert: Buffer;
  key: Buffer;
  /** When the certificate ends. */
  validTo: Date;
  /** Where both come from, and will come from when they were renewed. */
  files: TlsFiles;
}

/** Paths. */
export interface TlsFiles {
  cert: string;
  key: string;
}

/** What lies in the two files at one moment: usable or not. */
export interface TlsBytes {
  cert: Buffer;
  key: Buffer;
}

/**
 * Reads a certificate and its key.
 * @throws ConfigError with one sentence when a file cannot be read or used, or the key is not the certificate's
 */
export function loadTls(certPath: string, keyPath: string): TlsIdentity {
  const cert = read('certificate', certPath);
  const key = read('key', keyPath);
  return checkedTls({ cert, key }, { cert: certPath, key: keyPath });
}

/**
 * What was read from the files, if it can be served with.
 * @throws ConfigError with one sentence that says what is wrong with which file
 */
export function checkedTls({ cert, key }: TlsBytes, files: TlsFiles): TlsIdentity {
  const certificate = parseCertificate(cert, files.cert);
  if (!certificate.checkPrivateKey(parseKey(key, files.key))) {
    throw new ConfigError(`The TLS key ${files.key} does not belong to the TLS certificate ${files.cert}.`);
  }
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new ConfigError(`The TLS certificate ${files.cert} cannot be used: ${(error as Error).message}.`);
  }
  return { cert, key, validTo: new Date(certificate.validTo), files };
}

/** Tells whether two readings are the same; says nothing about the key that it was made from. */
export function fingerprintOf({ cert, key }: TlsBytes): string {
  return createHash('sha256').update(cert).update('\0').update(key).digest('base64url');
}

function read(what: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new ConfigError(`The TLS ${what} ${path} cannot be read: ${reasonOf(error)}.`);
  }
}

function parseCertificate(cert: Buffer, path: string): X509Certificate {
  try {
    if (cert.includes('-----BEGIN ')) return new X509Certificate(cert);
  } catch {
    // Said below, like whatever else is not what it should be.
  }
  throw new ConfigError(`The TLS certificate ${path} is not a certificate in PEM form.`);
}

function parseKey(key: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(key);
  } catch {
    throw new ConfigError(`The TLS key ${path} is not a private key in PEM form without a passphrase.`);
  }
}
