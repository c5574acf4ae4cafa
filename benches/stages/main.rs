//! What each stage of a request costs: `make bench`.

mod work;

use criterion::Criterion;

fn main() -> Result<(), work::Failed> {
    let dir = tempfile::tempdir()?;
    let mut criterion = Criterion::default().configure_from_args();
    for mut stage in work::stages(dir.path(), true)? {
        criterion.bench_function(&stage.name, |bencher| bencher.iter(|| (stage.go)()));
    }
    criterion.final_summary();
    Ok(())
}
