//! A collector of syslog over TLS, with certificates made here.

use std::net::TcpListener;
use std::sync::Arc;

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// Who vouches for others.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a name.
    pub fn vouch(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(roots)
    }
}

/// What listens, and all that came.
#[derive(Clone)]
pub struct Collector {
    pub port: u16,
    messages: Arc<Mutex<Vec<String>>>,
    /// Breaks off so many connections before it reads them to the end.
    pub breaks: Arc<Mutex<usize>>,
}

impl Collector {
    /// Listens under the name `localhost`; asks for certificates of `clients`, if that is given.
    pub fn start(authority: &Authority, clients: Option<&Authority>) -> Self {
        let own = authority.vouch("localhost");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(clients) => config.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(clients.roots(), provider)
                    .build()
                    .unwrap(),
            ),
        };
        let certificate = pem(&own.certificate);
        let key = PrivateKeyDer::try_from(pem(&own.key)).unwrap();
        let config = config.with_single_cert(vec![certificate.into()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let collector = Self { port, messages: Arc::default(), breaks: Arc::default() };
        let served = collector.clone();
        std::thread::spawn(move || {
            let config = Arc::new(config);
            for stream in listener.incoming() {
                let (served, config) = (served.clone(), Arc::clone(&config));
                std::thread::spawn(move || served.serve(stream.unwrap(), config));
            }
        });
        collector
    }

    fn serve(&self, stream: std::net::TcpStream, config: Arc<ServerConfig>) -> Option<()> {
        use std::io::Read as _;
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
        {
            let mut breaks = self.breaks.lock();
            if *breaks > 0 {
                *breaks -= 1;
                stream.read_exact(&mut [0; 16]).ok()?;
                return None;
            }
        }
        let mut text = Vec::new();
        stream.read_to_end(&mut text).ok()?;
        let mut rest = text.as_slice();
        while !rest.is_empty() {
            let space = rest.iter().position(|byte| *byte == b' ').unwrap();
            let length: usize = std::str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
            let message = &rest[space + 1..space + 1 + length];
            self.messages.lock().push(String::from_utf8(message.to_vec()).unwrap());
            rest = &rest[space + 1 + length..];
        }
        stream.conn.send_close_notify();
        stream.conn.complete_io(&mut stream.sock).ok();
        Some(())
    }

    pub fn url(&self) -> String {
        format!("tls://localhost:{}", self.port)
    }

    pub fn messages(&self) -> Vec<String> {
        self.messages.lock().clone()
    }

    /// The places of the records, as they came.
    pub fn indexes(&self) -> Vec<u64> {
        let places = self.messages();
        places.iter().filter_map(|it| number_after(it, " index=\"")).collect()
    }
}

fn number_after(text: &str, start: &str) -> Option<u64> {
    text.split_once(start)?.1.split('"').next()?.parse().ok()
}

/// The content of a block of PEM.
pub fn pem(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).unwrap()
}
