//! Codings round trip; what is corrupt, cut short or a bomb is an error, never silence.

use super::*;
use http::HeaderValue;

const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];
const MIB: u64 = 1024 * 1024;

fn encode(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Some(coding)).unwrap();
    let mut out = encoder.push(bytes).unwrap();
    out.extend(encoder.finish().unwrap());
    out
}

fn decode(codings: &[Coding], bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = Decoder::new(codings, 64 * MIB, 200)?;
    let mut out = Vec::new();
    for piece in bytes.chunks(777) {
        out.extend(decoder.push(piece)?);
    }
    decoder.finish()?;
    Ok(out)
}

fn sample() -> Vec<u8> {
    (0u32..60_000)
        .flat_map(|n| {
            (n.wrapping_mul(2_654_435_761) >> 20)
                .to_string()
                .into_bytes()
        })
        .collect()
}

#[test]
fn round_trips() {
    let text = sample();
    for coding in ALL {
        assert_eq!(
            decode(&[coding], &encode(coding, &text)),
            Ok(text.clone()),
            "{coding:?}"
        );
        assert_eq!(decode(&[coding], &[]), Ok(Vec::new()), "{coding:?}");
    }
}

#[test]
fn raw_deflate_is_read_too() {
    use std::io::Write;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"raw").unwrap();
    assert_eq!(
        decode(&[Coding::Deflate], &encoder.finish().unwrap()),
        Ok(b"raw".to_vec())
    );
}

#[test]
fn gzip_with_all_header_fields() {
    use std::io::Write;
    let mut encoder = flate2::GzBuilder::new()
        .filename("name")
        .comment("comment")
        .extra(vec![1, 2, 3])
        .write(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"fields").unwrap();
    let packed = encoder.finish().unwrap();
    let mut decoder = Decoder::new(&[Coding::Gzip], MIB, 200).unwrap();
    let out: Vec<u8> = packed
        .iter()
        .flat_map(|byte| decoder.push(&[*byte]).unwrap())
        .collect();
    assert_eq!((out, decoder.finish()), (b"fields".to_vec(), Ok(())));
}

#[test]
fn what_is_cut_short_is_an_error() {
    let text = sample();
    for coding in ALL {
        let packed = encode(coding, &text);
        for keep in [1, 5, packed.len() / 2, packed.len() - 1] {
            assert!(
                decode(&[coding], &packed[..keep]).is_err(),
                "{coding:?} {keep}"
            );
        }
    }
}

#[test]
fn a_flipped_byte_is_an_error_where_there_is_a_checksum() {
    let packed = encode(Coding::Gzip, &sample());
    for at in [0, 1, packed.len() / 2, packed.len() - 6, packed.len() - 1] {
        let mut broken = packed.clone();
        broken[at] ^= 0x55;
        assert!(decode(&[Coding::Gzip], &broken).is_err(), "byte {at}");
    }
    assert_eq!(
        decode(&[Coding::Gzip], b"<!doctype html>"),
        Err(DecodeError::Corrupt)
    );
}

#[test]
fn bombs_are_noticed_early() {
    let zeros = vec![0u8; 48 * 1024 * 1024];
    for coding in ALL {
        let bomb = encode(coding, &zeros);
        let mut decoder = Decoder::new(&[coding], 64 * MIB, 50).unwrap();
        let mut unfolded = 0;
        let result = bomb.chunks(1024).try_for_each(|piece| {
            unfolded += decoder.push(piece)?.len() as u64;
            Ok::<_, DecodeError>(())
        });
        assert_eq!(result, Err(DecodeError::TooDense(50)), "{coding:?}");
        assert!(unfolded < 4 * MIB, "{coding:?} unfolded to {unfolded}");
    }
    let packed = encode(Coding::Gzip, &sample());
    let mut small = Decoder::new(&[Coding::Gzip], 1000, 200).unwrap();
    let result = packed
        .chunks(64)
        .try_for_each(|piece| small.push(piece).map(drop));
    assert_eq!(result, Err(DecodeError::TooLarge(1000)));
}

fn headers(name: &http::header::HeaderName, values: &[&'static str]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for value in values {
        map.append(name.clone(), HeaderValue::from_static(value));
    }
    map
}

#[test]
fn reads_stacked_codings_in_order() {
    let map = headers(&CONTENT_ENCODING, &["GZIP, identity", "br"]);
    assert_eq!(applied(&map, 4), Ok(vec![Coding::Gzip, Coding::Brotli]));
    assert_eq!(applied(&map, 1), Err(UnknownCoding::TooMany(1)));
    let map = headers(&CONTENT_ENCODING, &["compress"]);
    assert_eq!(
        applied(&map, 4),
        Err(UnknownCoding::Name("compress".into()))
    );
}

#[test]
fn reads_what_the_client_accepts() {
    let map = headers(&ACCEPT_ENCODING, &["br;q=1.0, gzip;q=0, *;q=0.1"]);
    assert!(accepts(&map, Coding::Brotli));
    assert!(!accepts(&map, Coding::Gzip));
    assert!(accepts(&map, Coding::Zstd));
    assert!(!accepts(&HeaderMap::new(), Coding::Gzip));
}
